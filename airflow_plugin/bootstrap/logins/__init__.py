"""The logins of a platform's components: roles with just the rights that each needs, beside the tables' owner."""
