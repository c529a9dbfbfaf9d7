// Package auth holds the words and the rules of Curfew. It defines what a
// session is, when it ends and how its refreshes are spent, and what the agent
// says of it. It imports the standard library alone, so that every front end
// can use it.
//
// Its one hard idea: twenty refreshes and thirty days are a budget that nothing
// can extend. The rules ([Derive], [Session]) and the plan ([Plan], [Forecast])
// are pure functions of facts and a time. Package engine applies them.
package auth
