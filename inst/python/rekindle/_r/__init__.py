"""What R calls beside the public modules."""
