"""A small ROSA on loopback: AWS, the cluster API and the controllers that act on them. Never packaged or deployed."""
