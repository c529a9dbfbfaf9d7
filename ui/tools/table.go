package tools

// A Tool is a program that can be told to ask Curfew. In its texts
//
//	{curfew}   is how to start curfew
//	{account}  is the account
//	{host}     is a host of the account; what names it is there for each of them
//	{url}      is the address of that host: https, or http on this machine
//	{link}     is the path of the link
//	{id,}      is the option for the ID token, if that is wanted, and a comma; {id } is that and a space
//
// A file is a path from the home directory, or begins with a variable of the
// environment, which must be set. The first that can be made out is the one.
type Tool struct {
	Name     string
	Programs []string // it is on this machine when one of them is

	Text     string   // what its configuration needs
	Files    []string // where that goes; none: into no file that Curfew writes
	Conflict string   // what the file must not say yet
	JSON     bool     // Text is merged into the file, not put at its end

	Commands []string // in place of Text: its own commands, which change one of Files
	Probe    string   // when this fails
	Fresh    []string // then these, for exactly one host

	Link string // what curfew must also go by, from the home directory
	Note string // what else there is to know
}

// Tools lists the tools that `curfew setup` knows.
func Tools() []Tool { return table }

var table = []Tool{
	{
		Name: "git", Programs: []string{"git"},
		Files: []string{"$GIT_CONFIG_GLOBAL", "$XDG_CONFIG_HOME/git/config", ".config/git/config", ".gitconfig"},
		Commands: []string{
			`git config --global --add credential.{url}.helper ""`,
			`git config --global --add credential.{url}.helper "!{curfew} helper git --account {account}"`,
		},
		Note: "the empty helper keeps git from storing the tokens elsewhere",
	},
	{
		Name: "kubectl", Programs: []string{"kubectl"},
		Files: []string{"$KUBECONFIG", ".kube/config"},
		Commands: []string{
			`kubectl config set-credentials curfew-{account} --exec-api-version=client.authentication.k8s.io/v1beta1 "--exec-command={curfew}" --exec-arg=helper,kubectl,{id,}--account,{account}`,
			`kubectl config set-context --current --user=curfew-{account}`,
		},
		Probe: `kubectl config current-context`,
		Fresh: []string{
			`kubectl config set-cluster curfew-{account} --server=https://{host}`,
			`kubectl config set-credentials curfew-{account} --exec-api-version=client.authentication.k8s.io/v1beta1 "--exec-command={curfew}" --exec-arg=helper,kubectl,{id,}--account,{account}`,
			`kubectl config set-context curfew-{account} --cluster=curfew-{account} --user=curfew-{account}`,
			`kubectl config use-context curfew-{account}`,
		},
		Note: "over plain http kubectl asks for no token",
	},
	{
		Name: "docker", Programs: []string{"docker", "skopeo", "podman", "crane", "oras"},
		Files: []string{"$DOCKER_CONFIG/config.json", ".docker/config.json"},
		Text:  `{"credHelpers": {"{host}": "curfew"}}`,
		JSON:  true, Link: ".local/bin/docker-credential-curfew",
	},
	{
		Name: "go", Programs: []string{"go"},
		Files:    []string{"$GOENV", "$XDG_CONFIG_HOME/go/env", ".config/go/env"},
		Commands: []string{`go env -w "GOAUTH=netrc;{curfew} helper go --account {account}"`},
		Note:     "Go shows what a helper says with -x only; on a terminal you read it all the same",
	},
	{
		Name: "cargo", Programs: []string{"cargo"},
		Files:    []string{"$CARGO_HOME/config.toml", ".cargo/config.toml"},
		Text:     "[registry]\nglobal-credential-providers = [\"cargo:token\", \"cargo-credential-curfew\"]\n",
		Conflict: "[registry]", Link: ".local/bin/cargo-credential-curfew",
	},
	{
		Name: "pip", Programs: []string{"pip", "pip3", "uv", "twine"},
		Files:    []string{"$PIP_CONFIG_FILE", "$XDG_CONFIG_HOME/pip/pip.conf", ".config/pip/pip.conf"},
		Text:     "[global]\nkeyring-provider = subprocess\n",
		Conflict: "[global]", Link: ".local/bin/keyring",
		Note: "the index needs a user name in its address, for example https://oauth2@{host}/simple/",
	},
	{
		Name: "npm", Programs: []string{"pnpm"},
		Files: []string{"$NPM_CONFIG_USERCONFIG", ".npmrc"},
		Text:  "//{host}/:tokenHelper={link}\n",
		Link:  ".local/bin/curfew-npm-{account}",
		Note:  "pnpm reads this. npm has no such thing: start it with curfew exec {account} --env NPM_TOKEN -- npm ...",
	},
	{
		Name: "terraform", Programs: []string{"terraform", "tofu"},
		Files:    []string{"$TF_CLI_CONFIG_FILE", ".terraformrc"},
		Text:     "credentials_helper \"curfew\" {\n  args = [\"--account={account}\"]\n}\n",
		Conflict: "credentials_helper", Link: ".terraform.d/plugins/terraform-credentials-curfew",
	},
	{
		Name: "mail", Programs: []string{"msmtp", "mbsync", "getmail", "neomutt"},
		Text: "# msmtp\nauth oauthbearer\npasswordeval \"{curfew} token {account}\"\n\n# mbsync\nAuthMechs XOAUTH2\nPassCmd \"{curfew} token {account}\"\n\n" +
			"# getmail\nuse_xoauth2 = True\npassword_command = (\"{curfew}\", \"helper\", \"mail\", \"--account\", \"{account}\")\n",
	},
	{
		Name: "aws", Programs: []string{"aws"},
		Text: "{curfew} exec {id }{account} -- sh -c 'AWS_WEB_IDENTITY_TOKEN_FILE=$CURFEW_ACCESS_TOKEN_FILE exec aws s3 ls'\n",
		Note: "AWS wants a token with its own audience; AWS_ROLE_ARN says for which role",
	},
	{
		Name: "google", Programs: []string{"gcloud"},
		Text: "{\"credential_source\": {\"executable\": {\"command\": \"{curfew} helper google {id }--account {account}\"}}}\n",
		Note: "this goes into the file that gcloud iam workload-identity-pools create-cred-config makes; set GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES=1",
	},
	{
		Name: "bazel", Programs: []string{"bazel", "bazelisk"},
		Files: []string{".bazelrc"},
		Text:  "common --credential_helper={host}={link}\n",
		Link:  ".local/bin/curfew-bazel-{account}",
	},
}
