"""Reports on a workspace; they change nothing."""
