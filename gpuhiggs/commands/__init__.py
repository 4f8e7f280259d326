"""The command line: arguments and help. Each command imports what it does when it is called."""
