"""Delivers the ledger to DynamoDB and S3, each at its own pace, and fetches the till's assignment."""
