"""The logins of a platform's components: roles with exactly the rights that each needs, beside the tables' owner."""
