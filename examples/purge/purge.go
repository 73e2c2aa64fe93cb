// Sends a signed purge order. Needs Go 1.18 or newer.
//
//	EDGEKEEP_SITE=https://www.example.com EDGEKEEP_SECRET=whsec_… go run purge.go '{"tags":["front"]}'
package main

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"strings"
	"time"
)

// purge sends an order and returns its receipt.
func purge(site, secret string, order any) (string, error) {
	body, err := json.Marshal(order)
	if err != nil {
		return "", err
	}
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
	if err != nil {
		return "", err
	}
	random := make([]byte, 12)
	if _, err := rand.Read(random); err != nil {
		return "", err
	}
	id, now := fmt.Sprintf("msg_%x", random), fmt.Sprint(time.Now().Unix())
	mac := hmac.New(sha256.New, key)
	fmt.Fprintf(mac, "%s.%s.%s", id, now, body)
	request, err := http.NewRequest("POST", site+"/.edgekeep/purge", bytes.NewReader(body))
	if err != nil {
		return "", err
	}
	request.Header.Set("content-type", "application/json")
	request.Header.Set("webhook-id", id)
	request.Header.Set("webhook-timestamp", now)
	request.Header.Set("webhook-signature", "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	answer, err := (&http.Client{Timeout: 10 * time.Second}).Do(request)
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", answer.Status, text)
	}
	return string(text), err
}

func main() {
	receipt, err := purge(os.Getenv("EDGEKEEP_SITE"), os.Getenv("EDGEKEEP_SECRET"), json.RawMessage(os.Args[1]))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(receipt)
}
