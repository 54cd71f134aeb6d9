import sys

sys.exit("usage: exit.py PID")
