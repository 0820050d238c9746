"""Where data is merged to; a folder for each kind of merge store."""
