"""What waiting would cost: queue and machines in simulated time, moved by the autoscaler's own policy."""
