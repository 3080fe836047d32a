"""`python -m gpugen`: the command `gpugen` where it is not on the PATH."""

from gpugen.cli import main

main()
