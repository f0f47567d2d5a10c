from clubsync.cli import main

main()
