//go:build awscli

package awscli

import "strings"

func alarms(s *shell) {
	s.want("", "cloudwatch put-metric-alarm --alarm-name high --namespace AWS/EC2 --metric-name CPUUtilization --statistic Average --period 60 "+
		"--evaluation-periods 1 --threshold 80 --comparison-operator GreaterThanThreshold --dimensions Name=InstanceId,Value=i-00000000")
	s.want("", "cloudwatch wait alarm-exists --alarm-names high")
	s.want("", "cloudwatch set-alarm-state --alarm-name high --state-value ALARM --state-reason tried")
	s.want("high ALARM 80.0", "cloudwatch describe-alarms --alarm-name-prefix hi --query MetricAlarms[].[AlarmName,StateValue,Threshold]")
	s.want("", "cloudwatch delete-alarms --alarm-names high")
	s.want("", "cloudwatch describe-alarms --query MetricAlarms[].AlarmName")
	s.fails("ResourceNotFound", "SetAlarmState", "", "cloudwatch set-alarm-state --alarm-name high --state-value OK --state-reason tried")
}

// queues: the events of a server come to the queue, until they are deleted.
func queues(s *shell) {
	url := s.text("sqs create-queue --queue-name events --query QueueUrl")
	s.want(url, "sqs get-queue-url --queue-name events --query QueueUrl")
	if err := s.cloud.SendEvents("events"); err != nil {
		s.t.Fatal(err)
	}
	id := s.launch("1", "")
	s.want("", "ec2 wait instance-running --instance-ids %s", id)

	const receive = "sqs receive-message --queue-url %s --wait-time-seconds 20 --visibility-timeout 43200 --query Messages[0].[ReceiptHandle,Body]"
	first, body, _ := strings.Cut(s.text(receive, url), " ")
	if !strings.Contains(body, id) || !strings.Contains(body, "EC2 Instance State-change Notification") {
		s.t.Errorf("the first message is %s", body)
	}
	second, _, _ := strings.Cut(s.text(receive, url), " ")
	s.want("", "sqs delete-message --queue-url %s --receipt-handle %s", url, first)
	s.want("a", "sqs delete-message-batch --queue-url %s --entries Id=a,ReceiptHandle=%s --query Successful[].Id", url, second)
	s.want("None", "sqs receive-message --queue-url %s --query Messages[0].Body", url)
	s.fails("AWS.SimpleQueueService.NonExistentQueue", "GetQueueUrl", "", "sqs get-queue-url --queue-name none")
}
