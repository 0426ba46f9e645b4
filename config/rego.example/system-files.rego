# Rego v0: nobody writes where the system keeps its settings.
package aaf.policy

decision = "deny" {
	input.action.tool == "write_file"
	startswith(input.action.params.path, "/etc/")
}
