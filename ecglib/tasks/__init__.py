"""The book's tasks by name: what the command line calls.

`sets` are their windows, `ways` how they are learnt if nothing else is said, `shelf` finds runs,
`results` judges and compares them, `looks` shows what they looked at. Chapter: exercise 06, "From
raw files to a trained model".
"""
