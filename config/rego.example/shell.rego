# Rego v0: nobody runs commands.
package aaf.policy

decision = "deny" {
	input.action.tool == "run_command"
}
