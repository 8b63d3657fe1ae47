"""Fine-tuning datasets: immutable, versioned releases that a trainer can load and trust.

``rows`` gives the rows their split, ``release`` writes them as a version, ``catalog`` finds what is published.
"""
