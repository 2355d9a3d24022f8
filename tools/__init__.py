"""Commands for those who build egress-keeper; nothing here is deployed."""
