"""Where data is merged to, a room for each kind of merge store."""
