"""The models of the registry: one version, how it is added, promoted, copied here and followed."""
