"""What a store sells: read from CSV, made into snapshots that tills carry, published to S3."""
