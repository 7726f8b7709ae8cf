"""AWS IoT Greengrass V2: components, deployments, core devices, and the data plane that cores call."""
