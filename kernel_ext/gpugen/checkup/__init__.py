"""What `gpugen doctor` looks at: each part of an installation, in words its user can act on."""
