"""`python -m search` is the command `realingo`."""

from search.cli import main

main()
