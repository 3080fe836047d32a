"""The program on a machine that draws: pulls tasks over HTTP, draws them, hands the images over."""
