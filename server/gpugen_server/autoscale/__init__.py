"""Workers come when tasks wait: how many are wanted, and where they come from."""
