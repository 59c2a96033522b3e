"""A small library behind a book: shock advice, heartbeats and rhythms from the ECG."""

__version__ = "0.1.0"
