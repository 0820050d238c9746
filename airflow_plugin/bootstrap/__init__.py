"""The files that a platform needs beside the rows: its factory file and its settings file."""
