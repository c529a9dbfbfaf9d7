package authserver_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"

	"curfew/auth/authserver"
	"curfew/auth/authserver/robot"

	"golang.org/x/oauth2"
)

// A whole sign-in with a program that waits on a loopback address and a person
// in a browser. One answer gets lost and is sent again.
func Example() {
	faults, err := authserver.ParseFaults("refresh:drop-after-rotate*1")
	if err != nil {
		panic(err)
	}
	ts := httptest.NewUnstartedServer(nil)
	as, err := authserver.New(authserver.Config{Issuer: "http://" + ts.Listener.Addr().String(), Faults: faults})
	if err != nil {
		panic(err)
	}
	ts.Config.Handler = as
	ts.Start()
	defer ts.Close()

	codes := make(chan string, 1)
	program := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { codes <- r.FormValue("code") }))
	defer program.Close()

	ctx, verifier := context.Background(), oauth2.GenerateVerifier()
	client := oauth2.Config{
		ClientID:    authserver.DefaultClientID,
		Endpoint:    oauth2.Endpoint{AuthURL: as.Issuer() + "/authorize", TokenURL: as.Issuer() + "/token", AuthStyle: oauth2.AuthStyleInParams},
		RedirectURL: program.URL + "/callback",
		Scopes:      []string{"openid", "offline_access"},
	}
	person := &robot.Browser{User: authserver.DefaultUser, Password: authserver.DefaultPassword}
	page, err := person.Visit(ctx, client.AuthCodeURL("state", oauth2.S256ChallengeOption(verifier)))
	fmt.Println("back at the program:", page.Arrived, err)

	token, err := client.Exchange(ctx, <-codes, oauth2.VerifierOption(verifier))
	if err != nil {
		panic(err)
	}
	refresh := func() {
		again, err := client.TokenSource(ctx, &oauth2.Token{RefreshToken: token.RefreshToken}).Token()
		fmt.Println("refreshed:", err == nil && again.AccessToken != token.AccessToken)
	}
	refresh()
	refresh()
	fmt.Println("requests:", as.Posts("refresh_token"))
	// Output:
	// back at the program: true <nil>
	// refreshed: false
	// refreshed: true
	// requests: 2
}
