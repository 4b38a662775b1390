"""Networks, leaf to whole: no input or output, devices, losses or configuration."""
