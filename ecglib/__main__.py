from ecglib.cli import main

main()
