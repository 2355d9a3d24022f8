"""egress-keeper: everything that the Lambda functions and the command line import."""
