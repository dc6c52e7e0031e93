"""What a solver may use while it solves."""
