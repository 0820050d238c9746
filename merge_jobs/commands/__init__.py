"""The sub-commands of `merge-job`: one file for each, and the options that they share."""
