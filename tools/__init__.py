"""What the project needs to build, show and describe itself; nothing of it is installed."""
