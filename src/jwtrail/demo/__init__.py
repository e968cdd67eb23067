"""The product at work: a sample shop under real HTTP, people who use it, six attackers, the daemon and its console."""
