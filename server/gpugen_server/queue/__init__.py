"""The queue: plain functions, each one change of state in one transaction. Knows neither HTTP nor Redis."""
