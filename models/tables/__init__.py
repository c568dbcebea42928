"""Tables: how a file of any format becomes ids, timestamps and values, for the command line and the service alike."""
