"""How much work a study asks for (its fidelities, what trainings cost), and what this machine gives."""
