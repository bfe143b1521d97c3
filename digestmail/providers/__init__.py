"""What mail providers tell by webhook: bounces and complaints read from their JSON. Pure."""
