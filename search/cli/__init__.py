"""The command `realingo`: parse, call, print. Heavy rooms are imported by the command that needs them."""

from search.cli.entry import main as main
