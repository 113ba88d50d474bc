"""What callers use: functions, the command line."""
