"""What happens to run folders when the disk, the power or somebody's patience fails."""
