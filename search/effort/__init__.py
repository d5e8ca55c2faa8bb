"""How much work a study asks for: its fidelities, and what trainings cost."""
