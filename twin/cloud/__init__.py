"""The twin's cloud: AWS as far as this project uses it, on loopback, with IAM and IoT policies enforced."""

from twin.cloud.supervisor import CloudError, environment, is_running, start, stop

__all__ = ["CloudError", "environment", "is_running", "start", "stop"]
