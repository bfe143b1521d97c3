"""What people do about themselves: subscribe, confirm, choose, pause, leave, see what is stored, be forgotten."""
