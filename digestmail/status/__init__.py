"""Status: how the installation is doing, for the operator. It looks at everything and changes nothing."""
