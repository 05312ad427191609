"""The machine: sensors, disk, the life of child processes.

Start with `sensors` (idle, power, heat, load, energy, each with its source) and `disk` (files
whole or not at all). Everybody may import it; it imports no other room.
"""
