"""GPU machines on Google Compute Engine: what to ask for, how to ask, and what its refusals mean."""
