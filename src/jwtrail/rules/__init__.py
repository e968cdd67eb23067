"""The packaged Sigma rules: data only, one file a detection, read by `jwtrail.detect.ruleset`."""
